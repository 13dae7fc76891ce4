"""Recurrent layers: RNN and LSTM over sequences."""
