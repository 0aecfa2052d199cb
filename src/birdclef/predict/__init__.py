"""The exported model over recordings of any length; needs no torch and no pandas."""
