"""The benchmarks still run, and count right. How long anything takes is no test's business."""
