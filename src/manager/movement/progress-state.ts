// How much is left of some work, and for how long it will go on: from what was left at some
// moments of the last minute. Honest rather than quick: nothing is said before there is a rate to
// say it by. Pure.
import { PROGRESS_SAMPLE_MS, PROGRESS_SAMPLES, PROGRESS_SURE_AFTER_MS } from '../../base/limits.js'

interface Sample {
  readonly at: number
  readonly left: number
}

interface Track {
  left: number
  /** The oldest first. */
  readonly samples: Sample[]
}

export class ProgressState {
  readonly #tracks = new Map<string, Track>()

  /**
   * What is left now of every work there is; what is not named is done. With `more` work can be
   * added to one: then its rate is measured anew. Without, what is left only goes down, as clients
   * that write meanwhile would otherwise make it go up.
   */
  note(now: number, left: ReadonlyMap<string, number>, more: (key: string) => boolean): void {
    for (const key of [...this.#tracks.keys()]) if (!left.has(key)) this.#tracks.delete(key)
    for (const [key, value] of left) {
      const track = this.#tracks.get(key)
      if (!track || (value > track.left && more(key))) {
        this.#tracks.set(key, { left: value, samples: [{ at: now, left: value }] })
      } else {
        track.left = Math.min(track.left, value)
        this.#sample(track, now)
      }
    }
  }

  left(key: string): number | null {
    return this.#tracks.get(key)?.left ?? null
  }

  /** Null: nobody can tell yet, or nothing goes on. */
  secondsLeft(key: string, now: number): number | null {
    const track = this.#tracks.get(key)
    const first = track?.samples[0]
    if (!track || !first) return null
    if (track.left === 0) return 0
    const elapsed = now - first.at
    const done = first.left - track.left
    if (elapsed < PROGRESS_SURE_AFTER_MS || done <= 0) return null
    return Math.ceil((track.left * elapsed) / done / 1000)
  }

  #sample({ left, samples }: Track, now: number): void {
    if (now - samples.at(-1)!.at < PROGRESS_SAMPLE_MS) return
    samples.push({ at: now, left })
    if (samples.length > PROGRESS_SAMPLES) samples.shift()
  }
}
