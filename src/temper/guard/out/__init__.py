"""What must not leave: secrets in any dress, addresses that carry data, texts that do something when shown."""
