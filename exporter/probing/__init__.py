"""One probe of one service: it connects, asks, and judges what came back."""
