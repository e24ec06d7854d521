// A database that commits one row after the other, numbered from 1, all the time: SQLite in WAL
// mode, each commit synced. Every transaction also counts in a second table, and a row says by its
// content which it is, so whoever reads the database later can tell whether it is whole.
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { LoadOwner } from './image-load.js'
import { mustRun, within } from './tools.js'

/** Pages of the log that are copied into the database at a time: once in some fifty rows. */
const CHECKPOINT_PAGES = 200
/** Up to 1,600 characters that the number decides. */
const BODY = "replace(hex(zeroblob(1 + n * 37 % 200)), '00', printf('%08d', n))"
const SETUP = [
  'PRAGMA journal_mode = WAL;',
  'PRAGMA synchronous = FULL;',
  `PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};`,
  'CREATE TABLE rows (n INTEGER PRIMARY KEY, body TEXT NOT NULL);',
  'CREATE TABLE total (rows INTEGER NOT NULL);',
  'INSERT INTO total VALUES (0);',
  'SELECT 0;',
]

export class NumberedRows {
  readonly #child: ChildProcess
  readonly #ended: Promise<string | null>
  #begun = 0
  #committed = -1
  #stopping = false
  #longest = 0
  #last = performance.now()

  constructor(owner: LoadOwner, file: string) {
    // Line by line: a number is printed when its COMMIT has returned, and read at once.
    const words = ['-oL', 'sqlite3', '-batch', '-bail', file]
    const child = (this.#child = spawn('stdbuf', words, { stdio: ['pipe', 'pipe', 'pipe'] }))
    owner.stopFirst(() => child.kill('SIGKILL'))
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    // Its end says more.
    child.stdin.on('error', () => undefined)
    createInterface({ input: child.stdout }).on('line', line => this.#printed(line))
    this.#ended = new Promise(resolve => {
      child.once('close', (code, signal) => {
        const well = code === 0 && errors === '' && this.#stopping
        resolve(well ? null : `sqlite3 ended with ${signal ?? code}: ${errors}`)
      })
    })
    child.stdin.write(SETUP.join('\n') + '\n')
  }

  /** The newest row whose transaction was begun. */
  get begun(): number {
    return this.#begun
  }

  /** The newest row whose COMMIT has returned; all before it have, too. */
  get committed(): number {
    return Math.max(0, this.#committed)
  }

  /** Between two commits since this was last asked, in milliseconds. */
  lap(): number {
    const longest = Math.round(this.#longest)
    this.#longest = 0
    return longest
  }

  /** Finishes the transaction under way; what went wrong, or null. */
  stop(): Promise<string | null> {
    this.#stopping = true
    return within('sqlite3 ends', this.#ended)
  }

  #printed(line: string): void {
    if (Number(line) !== this.#begun || this.#committed === this.#begun) return
    this.#committed = this.#begun
    this.#longest = Math.max(this.#longest, performance.now() - this.#last)
    this.#last = performance.now()
    if (this.#stopping) {
      this.#child.stdin?.end()
      return
    }
    const n = ++this.#begun
    const insert = `INSERT INTO rows SELECT n, ${BODY} FROM (SELECT ${n} AS n);`
    const count = 'UPDATE total SET rows = rows + 1;'
    this.#child.stdin?.write(`BEGIN; ${insert} ${count} COMMIT; SELECT ${n};\n`)
  }
}

export interface FoundRows {
  /** "ok", or what is wrong. */
  readonly integrity: string
  readonly first: number
  readonly last: number
  readonly count: number
  /** As counted by the transactions. */
  readonly total: number
  /** Rows that do not say what their number says. */
  readonly damaged: number
}

/** Opens the database, which recovers it from its log, and reads all of it. */
export async function readRows(file: string): Promise<FoundRows> {
  const queries = [
    'PRAGMA integrity_check;',
    'SELECT min(n), max(n), count(*), (SELECT rows FROM total) FROM rows;',
    `SELECT count(*) FROM rows WHERE body <> ${BODY};`,
  ]
  const output = await mustRun('sqlite3', ['-batch', '-bail', file, ...queries])
  const lines = output.trim().split('\n')
  const damaged = Number(lines.pop())
  const [first = 0, last = 0, count = 0, total = 0] = (lines.pop() ?? '').split('|').map(Number)
  return { integrity: lines.join('; '), first, last, count, total, damaged }
}
