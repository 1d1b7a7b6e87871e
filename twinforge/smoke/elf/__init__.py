"""What the binaries of an image say of themselves, read without running one of them."""
