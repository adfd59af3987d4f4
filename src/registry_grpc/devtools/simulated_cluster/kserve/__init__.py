"""A toy KServe: what a registry can see of KServe's controller, over plain HTTP, so that it runs on any cluster.

It turns an InferenceService into a Deployment and a Service and writes the status the way KServe v0.20 does in
Standard mode. It serves no model.
"""
