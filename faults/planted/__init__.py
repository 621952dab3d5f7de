"""Our registry with one bug planted, to prove that the campaigns find it."""
