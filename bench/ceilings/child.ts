// The parent's side of a process that measures or serves a ceiling. It tells one thing at a time,
// when asked or when ready, and ends by itself when this process does.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isOver } from '../../test/e2e/tools.js'

/** It takes a mount down within this, or it hangs. */
const STOP_LIMIT_MS = 15_000

export interface CeilingChildOptions {
  /** Of a file of this folder. */
  readonly name: string
  readonly words: readonly string[]
  /** Nothing is waited for any more. */
  readonly signal: AbortSignal
}

export class CeilingChild {
  readonly #name: string
  readonly #signal: AbortSignal
  readonly #process: ChildProcess
  readonly #ended: Promise<unknown>

  constructor({ name, words, signal }: CeilingChildOptions) {
    const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url))
    this.#name = name
    this.#signal = signal
    this.#process = fork(file, [...words], { execArgv: ['--import', 'tsx'] })
    this.#ended = once(this.#process, 'exit')
  }

  /** What it tells next. To be asked for before it can be there. */
  async told(): Promise<unknown> {
    const ended = this.#ended.then(() => {
      throw new Error(`${this.#name} ended before its answer`)
    })
    const answered = once(this.#process, 'message', { signal: this.#signal }) as Promise<[unknown]>
    const [answer] = await Promise.race([answered, ended])
    return answer
  }

  ask(question: object): Promise<unknown> {
    const answer = this.told()
    this.#process.send(question)
    return answer
  }

  /** After it has taken down what it made. */
  async stop(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect()
    if (!(await isOver(this.#ended, STOP_LIMIT_MS))) this.#process.kill('SIGKILL')
    await this.#ended
  }
}
