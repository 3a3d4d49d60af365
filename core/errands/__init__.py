"""What has to be looked up or done at the payment processor outside of any transaction."""
