"""The training loop and what stands around it: what is true of every model that is trained with the CTC loss."""
