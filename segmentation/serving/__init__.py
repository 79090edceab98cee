"""The page that shows a model in a browser: built, put together in a folder, and served."""
