"""The commands, one a module: options in, one operation, its result out. Each is loaded when it is called."""
