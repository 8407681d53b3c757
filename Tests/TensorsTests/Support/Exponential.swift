import Foundation

/// e^x in Float64, for references.
func exponential(_ x: Double) -> Double { exp(x) }
