//! Moves bytes: TLS, WebSocket, HTTP.
