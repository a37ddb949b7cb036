//! Topics that agents publish on and subscribe to: patterns, filters, delivery classes, durable topics with replay, dead letters.
