"""The simulated Binance's servers: HTTPS and WSS in the venue's own protocol over the pure exchange core."""
