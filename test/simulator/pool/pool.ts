// Runs seeds in several processes at a time and gives their results in the order of the seeds.
import { fork, type ChildProcess } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { failure, type Job, type Result, type Story } from './job.js'

const HERE = fileURLToPath(new URL('../../..', import.meta.url))
/** A seed takes a second, on a busy machine some; one that takes this long never ends. */
const SEED_LIMIT_MS = 120_000

export interface PoolOptions {
  readonly seeds: Iterable<number>
  /** Default: one for each core. */
  readonly workers?: number
  readonly trace?: Job['trace']
  /** Default: faults. */
  readonly story?: Story
  /** The folder that holds src and test; default: this one. */
  readonly root?: string
}

/** Whoever stops listening ends the workers. */
export async function* runSeeds(options: PoolOptions): AsyncGenerator<Result> {
  const { seeds, workers = availableParallelism(), root = HERE } = options
  const { trace = 'off', story = 'faults' } = options
  const queue = [...seeds].map(seed => new Place(seed))
  const todo = queue.values()
  const running = Array.from({ length: Math.min(workers, queue.length) }, () => new Worker(root))
  for (const worker of running) {
    void (async () => {
      for (const { seed, resolve } of todo) resolve(await worker.run({ seed, story, trace }))
      worker.end()
    })()
  }
  try {
    for (const place of queue) yield await place.result
  } finally {
    for (const worker of running) worker.end()
  }
}

/** Of one seed in the order of all. */
class Place {
  readonly seed: number
  readonly result: Promise<Result>
  resolve: (result: Result) => void = () => undefined

  constructor(seed: number) {
    this.seed = seed
    this.result = new Promise(resolve => (this.resolve = resolve))
  }
}

class Worker {
  readonly #root: string
  #process: ChildProcess | null = null
  #ended = false

  constructor(root: string) {
    this.#root = root
  }

  run(job: Job): Promise<Result> {
    if (this.#ended) return Promise.resolve(failure(job.seed, 'not run'))
    const process = (this.#process ??= this.#start())
    return new Promise(resolve => {
      const end = (result: Result): void => {
        clearTimeout(limit)
        process.removeAllListeners()
        if (result.fatal) {
          process.kill('SIGKILL')
          this.#process = null
        }
        resolve(result)
      }
      const limit = setTimeout(() => {
        end(failure(job.seed, `it did not end within ${SEED_LIMIT_MS / 1000} s`))
      }, SEED_LIMIT_MS)
      process.on('message', end)
      process.on('exit', code => {
        end({ ...failure(job.seed, `the process ended with ${code}`), died: true })
      })
      process.send(job)
    })
  }

  end(): void {
    this.#ended = true
    this.#process?.kill('SIGKILL')
  }

  #start(): ChildProcess {
    const folder = join(this.#root, 'test/simulator')
    const small = pathToFileURL(join(folder, 'small/register.ts')).href
    return fork(join(folder, 'pool/worker.ts'), {
      cwd: this.#root,
      execArgv: ['--import', 'tsx', '--import', small],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
  }
}
