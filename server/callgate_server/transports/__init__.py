"""What carries RPCs: nothing above this seam knows which transport runs."""
