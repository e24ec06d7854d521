// The part of sodium-universal that swarmdisk uses; the package has no types of its own.
declare module 'sodium-universal' {
  interface Sodium {
    /** BLAKE2b, keyed where a key is given; as long as `output` is. */
    crypto_generichash(output: Uint8Array, input: Uint8Array, key?: Uint8Array): void
    crypto_generichash_batch(
      output: Uint8Array,
      inputs: readonly Uint8Array[],
      key?: Uint8Array,
    ): void
    /** Ed25519; `signature` has 64 bytes. */
    crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void
    crypto_sign_verify_detached(
      signature: Uint8Array,
      message: Uint8Array,
      publicKey: Uint8Array,
    ): boolean
  }
  const sodium: Sodium
  export default sodium
}
