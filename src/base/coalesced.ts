// A task of which any number may be wanted at once, and one run serves all: every request is
// followed by a whole run that began after it; requests made during a run share the next one.
// Flushes, group commits and index page writes are of this kind.

export class Coalesced {
  readonly #task: () => Promise<void>
  #running: Promise<void> | null = null
  #next: Promise<void> | null = null

  constructor(task: () => Promise<void>) {
    this.#task = task
  }

  /** The run in progress; null when there is none. */
  get running(): Promise<void> | null {
    return this.#running
  }

  request(): Promise<void> {
    if (this.#next) return this.#next
    if (!this.#running) return this.#start()
    const go = (): Promise<void> => {
      this.#next = null
      return this.#start()
    }
    this.#next = this.#running.then(go, go)
    return this.#next
  }

  #start(): Promise<void> {
    const run = this.#task()
    this.#running = run
    const end = (): void => {
      this.#running = null
    }
    // Registered first, so it runs before those who wait for the run.
    run.then(end, end)
    return run
  }
}
