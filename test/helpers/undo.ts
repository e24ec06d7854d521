// Undoing what a test did, in the reverse order of doing it. (tape's own teardowns run in the order
// in which they were registered, and so would remove a directory before what is mounted on it.)
import type { Test } from 'tape'

type Step = () => unknown

const stacks = new WeakMap<Test, Step[]>()

/** Call it where the effect is made. All steps run, also after one that failed. */
export function undo(t: Test, step: Step): void {
  const present = stacks.get(t)
  if (present) {
    present.push(step)
    return
  }
  const steps = [step]
  stacks.set(t, steps)
  t.teardown(() => runAll(steps))
}

async function runAll(steps: Step[]): Promise<void> {
  const failures: unknown[] = []
  for (let step = steps.pop(); step; step = steps.pop()) {
    try {
      await step()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, `undoing failed: ${failures.join()}`)
}
