//! Every profile of the product reads its own messages.
