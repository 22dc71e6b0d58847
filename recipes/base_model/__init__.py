"""The base network of forecasts: its data, its training, and its figures."""
