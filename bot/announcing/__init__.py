"""What the hub says on its own accord about real money: charges and cards, payouts, holds."""
