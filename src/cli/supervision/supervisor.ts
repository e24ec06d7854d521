// Keeps the processes of `dev` running: whatever ends by itself is started again after a while, so
// that people can kill servers and watch the cluster heal.
import { systemClock, type Timer } from '../../base/clock.js'
import { SwarmdiskError } from '../../base/errors.js'
import { RESTART_DELAY_MS } from '../../base/limits.js'
import { startChild, type Child, type ChildSpecification } from './child.js'

export class Supervisor {
  readonly #running = new Map<string, Child>()
  readonly #restarts = new Set<Timer>()
  /** What is done about a process that has ended, and has an end. */
  readonly #notices = new Set<Promise<void>>()
  readonly #say: (line: string) => void
  #stopping = false

  constructor(say: (line: string) => void) {
    this.#say = say
  }

  /** Resolves when it serves. `again`: how it is started when it has ended, if not the same way. */
  async start(first: ChildSpecification, again = first): Promise<Child> {
    if (this.#stopping)
      throw new SwarmdiskError('aborted', `${first.title} is not started any more`)
    const child = startChild(first)
    // From now on, so that it is stopped with the others also while it is starting.
    this.#running.set(child.title, child)
    void child.ended.then(() => this.#running.delete(child.title))
    await child.ready
    void child.ended.then(how => {
      if (this.#stopping) return
      if (first.ended) this.#note(first.ended())
      this.#restartLater(again, how)
    })
    return child
  }

  /** In the reverse order of their start, one after the other: clients before servers. */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const timer of this.#restarts) timer.cancel()
    for (const child of [...this.#running.values()].reverse()) await child.stop()
    await Promise.all(this.#notices)
  }

  /** For the impatient, while stop() is under way: whatever is busy is aborted now. */
  hurry(): void {
    for (const child of this.#running.values()) void child.stop()
  }

  #note(work: Promise<void>): void {
    const notice = work.finally(() => this.#notices.delete(notice))
    this.#notices.add(notice)
  }

  #restartLater(specification: ChildSpecification, how: string): void {
    const { title } = specification
    this.#say(`${title} ended (${how}), starting it again in ${RESTART_DELAY_MS / 1000} s`)
    const timer = systemClock.after(RESTART_DELAY_MS, () => {
      this.#restarts.delete(timer)
      this.start(specification).then(
        ({ pid }) => this.#say(`${title} runs again as process ${pid}`),
        (error: unknown) => {
          // What was stopped while it was starting did not fail.
          if (this.#stopping) return
          this.#say(error instanceof Error ? error.message : String(error))
          this.#restartLater(specification, 'it did not start')
        },
      )
    })
    this.#restarts.add(timer)
  }
}
