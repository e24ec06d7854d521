// Somebody asks for an end of long work, by a signal for example, and the work then stops where it
// is safe. Asked for once, it stays so.
export class Interruption {
  #asked = false
  #ask: () => void = () => undefined
  /** Resolves when it is asked for. */
  readonly until: Promise<void>

  constructor() {
    this.until = new Promise(resolve => (this.#ask = resolve))
  }

  get asked(): boolean {
    return this.#asked
  }

  ask(): void {
    this.#asked = true
    this.#ask()
  }
}
