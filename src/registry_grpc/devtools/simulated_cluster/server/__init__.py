"""The simulated cluster over HTTP."""
