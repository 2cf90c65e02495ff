"""The comm server: moves packets. `core/` decides, `io/` does, `app.py` joins them."""
