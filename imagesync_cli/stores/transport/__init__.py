"""HTTP/1.1 over sockets: TLS, proxies, connections, limits, patience."""
