"""What is asked for: recipes, the matrix, and the variants that follow from them."""
