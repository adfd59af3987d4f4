"""The objects of the simulated cluster and the rules that a kube-apiserver applies to them, without HTTP."""
