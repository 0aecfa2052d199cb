"""Run the exported model on recordings of any length; needs neither PyTorch nor pandas."""
