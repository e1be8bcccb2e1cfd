import { type RefObject, useEffect, useLayoutEffect, useRef } from "react";

export interface CanvasLook {
  /** CSS pixels */
  readonly width: number;
  readonly height: number;
  /** value of a custom property of tokens.css */
  color(name: string): string;
}

/**
 * A canvas that is as large as its place and sharp on any screen, drawn again when `inputs`, its size or the theme
 * change. Drawn once for each: an observer tells of a size as soon as it looks, and asking for the canvas's size again
 * would throw away what is drawn. `redraw` is for what changes without React.
 */
export function useCanvas(
  draw: (pen: CanvasRenderingContext2D, look: CanvasLook) => void,
  inputs: readonly unknown[],
): { readonly canvas: RefObject<HTMLCanvasElement | null>; readonly redraw: () => void } {
  const canvas = useRef<HTMLCanvasElement>(null);
  const size = useRef({ width: 0, height: 0, scale: 0 });
  const latest = useRef(draw);
  latest.current = draw;
  const paint = (): void => {
    const element = canvas.current;
    const { width, height, scale } = size.current;
    if (element === null || width === 0 || height === 0) return;
    const [pixelsWide, pixelsHigh] = [Math.round(width * scale), Math.round(height * scale)];
    if (element.width !== pixelsWide || element.height !== pixelsHigh) {
      element.width = pixelsWide;
      element.height = pixelsHigh;
    }
    const pen = element.getContext("2d")!;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    const style = getComputedStyle(document.documentElement);
    latest.current(pen, { width, height, color: (name) => style.getPropertyValue(name) });
  };
  const painted = useRef(paint);
  painted.current = paint;
  useLayoutEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const measure = (): void => {
      const { width, height } = element.getBoundingClientRect();
      const before = size.current;
      if (width === before.width && height === before.height && devicePixelRatio === before.scale) return;
      size.current = { width, height, scale: devicePixelRatio };
      painted.current();
    };
    const repaint = (): void => painted.current();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    addEventListener("themechange", repaint);
    return () => {
      observer.disconnect();
      removeEventListener("themechange", repaint);
    };
  }, []);
  useEffect(paint, inputs);
  return { canvas, redraw: paint };
}
