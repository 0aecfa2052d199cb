"""The network: mel front end, backbone, checkpoint, batch inference."""
