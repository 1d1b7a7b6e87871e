"""How it is written: layers, tags, content key and the text of the generated files. Pure."""
