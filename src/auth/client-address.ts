/** The header that carries the client's address to BetterAuth; it is stripped from what clients send. */
export const clientAddressHeader = "x-latchkey-client-address";
