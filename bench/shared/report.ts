// What a benchmark hands out: text for people on standard output, or JSON in a file, or JSON alone
// on standard output. Made before anything is measured, so that a bad path costs nobody minutes.
import { writeFileSync } from 'node:fs'
import { BadOption } from './options.js'
import { machine } from './machine.js'

const STANDARD_OUTPUT = '-'

export class Report {
  readonly #json: string | null
  /** The load of the machine counts before the benchmark adds its own. */
  readonly #machine = machine()

  constructor(json: string | null) {
    this.#json = json
    if (json === null || json === STANDARD_OUTPUT) return
    try {
      writeFileSync(json, '')
    } catch (error) {
      throw new BadOption(`--json ${json} cannot be written: ${(error as Error).message}.`)
    }
  }

  /** `text` ends with where the figures were taken; `figures` come with the same. */
  give(figures: object, text: string): void {
    const document = `${JSON.stringify({ machine: this.#machine, ...figures }, null, 2)}\n`
    if (this.#json === STANDARD_OUTPUT) return void process.stdout.write(document)
    if (this.#json !== null) writeFileSync(this.#json, document)
    process.stdout.write(`${text}\n\n${this.#machine}\n`)
  }
}
