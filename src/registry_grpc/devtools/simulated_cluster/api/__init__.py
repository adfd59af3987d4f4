"""The objects of the simulated cluster and the rules a kube-apiserver applies to them; no HTTP here."""
