"""A toy KServe: what a registry can see of KServe v0.20 in Standard mode. It serves no model."""
