"""Binance: spot and USD-M perpetuals over ccxt's raw endpoints and native websockets."""

from bot.venues.binance.account import AccountModes
from bot.venues.binance.venue import BinanceVenue

__all__ = ["AccountModes", "BinanceVenue"]
