// Joins FLUSHes of one thing: one is under way, and all callers that come meanwhile share the next,
// because the one under way may not cover what was acknowledged since it began. Pure.

export class FlushQueue {
  readonly #run: () => Promise<void>
  #running: Promise<void> | null = null
  #next: Promise<void> | null = null

  constructor(run: () => Promise<void>) {
    this.#run = run
  }

  /** A run that begins at or after this call. */
  join(): Promise<void> {
    if (this.#next) return this.#next
    if (!this.#running) return this.#start()
    const start = (): Promise<void> => this.#start()
    // After the one under way, whatever became of it.
    this.#next = this.#running.then(start, start)
    return this.#next
  }

  #start(): Promise<void> {
    this.#next = null
    const end = (): void => {
      this.#running = null
    }
    const running = this.#run()
    this.#running = running.then(end, end)
    return running
  }
}
