/** The version of the contract on the socket. Raised when an existing client could misread an answer. */
export const PROTOCOL_VERSION = 1;
/** The oldest version that this daemon still answers. */
export const PROTOCOL_VERSION_MIN = 1;
