"""The pages between the bot and the payment processor: entering a card, being paid, confirming a charge."""
