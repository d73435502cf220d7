"""What is measured once labels come, and what is expected before they do: one file each."""
