// One run of a benchmark: what it makes on this machine is undone when it ends, newest first, also
// when it fails or is interrupted. A signal ends what is being measured; the benchmark then fails
// at that step, so that nothing is made any more while the rest is undone.
import type { ClusterOwner } from '../../test/e2e/cluster.js'
import { BadOption } from './options.js'

const EXIT = { failed: 1, badOption: 2, signal: 128 } as const
const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const

type Interruption = keyof typeof SIGNALS

export class Session implements ClusterOwner {
  readonly #interrupted = new AbortController()
  readonly #undo: (() => Promise<void>)[] = []
  #interruptedBy: Interruption | null = null

  get signal(): AbortSignal {
    return this.#interrupted.signal
  }

  get interruptedBy(): Interruption | null {
    return this.#interruptedBy
  }

  /** The first one counts. */
  interrupt(by: Interruption): void {
    if (this.#interruptedBy !== null) return
    this.#interruptedBy = by
    this.say('interrupted: taking everything down')
    this.#interrupted.abort()
  }

  teardown(undo: () => Promise<void>): void {
    this.#undo.push(undo)
  }

  comment(): void {
    // Whoever measures wants to see the figures only.
  }

  /** Progress, for people who wait. */
  say(line: string): void {
    process.stderr.write(`${line}\n`)
  }

  async end(): Promise<void> {
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop()) await undo()
  }
}

/** The whole life of a benchmark's process. */
export async function runBenchmark(main: (session: Session) => Promise<void>): Promise<void> {
  const session = new Session()
  for (const signal of Object.keys(SIGNALS) as Interruption[]) {
    process.on(signal, () => session.interrupt(signal))
  }
  try {
    await main(session)
  } catch (error) {
    // Whatever it fails with after a signal comes from that.
    if (session.interruptedBy === null) {
      const bad = error instanceof BadOption
      process.exitCode = bad ? EXIT.badOption : EXIT.failed
      session.say(bad ? error.message : describe(error))
    }
  } finally {
    await session.end()
  }
  const { interruptedBy } = session
  if (interruptedBy !== null) process.exitCode = EXIT.signal + SIGNALS[interruptedBy]
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
