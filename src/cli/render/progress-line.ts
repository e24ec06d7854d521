// A bar on the last line of a terminal, written over itself; nothing where nobody looks at it.
import type { DrainResult } from '../../net/admin.js'
import { drainText } from './servers.js'

const CELLS = 20
const CLEAR_LINE = '\r\u001b[2K'

export interface Terminal {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

export class ProgressLine {
  readonly #terminal: Terminal
  #most = 0
  #shown = false

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  show(drain: DrainResult): void {
    if (!this.#terminal.isTTY) return
    this.#most = Math.max(this.#most, drain.shardsLeft)
    this.bar(this.#most === 0 ? 1 : 1 - drain.shardsLeft / this.#most, drainText(drain))
  }

  /** `done`: from 0 to 1. */
  bar(done: number, text: string): void {
    if (!this.#terminal.isTTY) return
    const full = Math.floor(done * CELLS)
    const bar = `[${'#'.repeat(full)}${'-'.repeat(CELLS - full)}] ${text}`
    // One that wraps would not be written over.
    const width = Math.max(1, (this.#terminal.columns ?? 80) - 1)
    this.#terminal.write(`${CLEAR_LINE}${bar.slice(0, width)}`)
    this.#shown = true
  }

  end(): void {
    if (this.#shown) this.#terminal.write(CLEAR_LINE)
    this.#shown = false
  }
}
