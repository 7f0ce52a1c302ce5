"""What the article's loop doesn't have: each module is imported when a recipe has its option."""
