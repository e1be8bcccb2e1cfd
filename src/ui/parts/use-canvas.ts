import { type RefObject, useEffect, useRef } from "react";

export interface CanvasLook {
  /** CSS pixels */
  readonly width: number;
  readonly height: number;
  /** value of a custom property of tokens.css */
  color(name: string): string;
}

/** A canvas that is as large as its place and sharp on any screen, drawn again when `inputs`, its size or the theme change. */
export function useCanvas(
  draw: (pen: CanvasRenderingContext2D, look: CanvasLook) => void,
  inputs: readonly unknown[],
): RefObject<HTMLCanvasElement | null> {
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useRef(draw);
  latest.current = draw;
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const paint = (): void => {
      const { width, height } = element.getBoundingClientRect();
      if (width === 0 || height === 0) return;
      const scale = devicePixelRatio;
      element.width = Math.round(width * scale);
      element.height = Math.round(height * scale);
      const pen = element.getContext("2d")!;
      pen.setTransform(scale, 0, 0, scale, 0, 0);
      const style = getComputedStyle(document.documentElement);
      latest.current(pen, { width, height, color: (name) => style.getPropertyValue(name) });
    };
    paint();
    const observer = new ResizeObserver(paint);
    observer.observe(element);
    addEventListener("themechange", paint);
    return () => {
      observer.disconnect();
      removeEventListener("themechange", paint);
    };
  }, inputs);
  return canvas;
}
