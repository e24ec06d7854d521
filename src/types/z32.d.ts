// z-base-32; the package has no types of its own.
declare module 'z32' {
  const z32: {
    encode(bytes: Uint8Array): string
    /** Throws at a character that is not of the alphabet; ignores left-over bits. */
    decode(text: string): Uint8Array
  }
  export default z32
}
