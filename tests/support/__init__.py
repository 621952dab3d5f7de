"""What tests share: an in-process client over the whole application, stores to run it on, and documents to push."""
