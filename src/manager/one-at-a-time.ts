// Work that is asked for by events and runs once at a time: what is asked for in one turn is
// done together, and whoever asks while it runs has it look once more.

export class OneAtATime {
  readonly #work: () => Promise<void>
  #wanted = false
  #stopped = false
  #running: Promise<void> | null = null

  constructor(work: () => Promise<void>) {
    this.#work = work
  }

  /** The work under way ends early. */
  get stopped(): boolean {
    return this.#stopped
  }

  ask(): void {
    if (this.#stopped) return
    this.#wanted = true
    this.#running ??= this.#run()
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    await Promise.resolve()
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false
      await this.#work()
    }
    this.#running = null
  }
}
