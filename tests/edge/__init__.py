"""The controller's side of the edge, without a Worker."""
